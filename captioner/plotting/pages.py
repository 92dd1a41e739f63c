"""Pages of HTML that need nothing beside them."""

from html import escape


def page(title: str, body: str) -> str:
    """A whole page around a fragment.

    Args:
        title: In plain text.
        body: HTML.
    """
    title = escape(title.encode("utf-8", "replace").decode())  # a path need not be UTF-8
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body style="background:#fff;color:#000;max-width:62em;margin:1.5em auto;padding:0 1em">
<main>
<h1 style="font:bold 1.4em system-ui,sans-serif;margin:0 8px">{title}</h1>
{body}</main>
</body>
</html>
"""
