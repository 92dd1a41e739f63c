"""`captioner serve`: a web page and an HTTP interface."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from captioner.commands import finish
from captioner.serving.limits import Limits


@dataclass(frozen=True)
class ServeOptions:
    """Caption photos on a web page and over HTTP (POST /caption; /docs tells more).

    Photos stay in memory while they are captioned; nothing is kept.
    """

    model: str = "flickr8k"
    """Folder of a model or of a run, or the name of a model that comes with the package."""
    host: str = "127.0.0.1"
    """Address to listen on: this machine alone by default; 0.0.0.0 is open to its network, and
    whoever is in it may then ask for captions."""
    port: int = 8000
    """Port to listen on; 0 takes any that is free."""
    open: bool = False
    """Open the page in the browser."""
    allow_links: bool = False
    """Also fetch photos from links, from the open internet alone."""
    names: tuple[str, ...] = ()
    """Names, besides localhost, under which the server may be asked for."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    limits: Annotated[Limits, tyro.conf.OmitArgPrefixes] = field(default_factory=Limits)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C; exit codes as of `captioner.commands.finish`."""
    argv = list(sys.argv[1:] if argv is None else argv)
    finish(lambda: _serve(tyro.cli(ServeOptions, args=argv, prog="captioner serve")))


def _serve(options: ServeOptions) -> int:
    options.limits.check()
    import python_multipart  # noqa: F401 - told of as missing now, and not at the first photo

    from captioner.serving.guard import is_loopback
    from captioner.serving.server import address_of, listen, serve

    with listen(options.host, options.port) as listening:
        address = address_of(listening)
        from captioner.commands.sources import choose_device, open_captioner, open_exported
        from captioner.folders import find_model
        from captioner.serving.desk import Service
        from captioner.serving.worker import Batcher

        captioner = open_exported(options.model, options.device) or open_captioner(
            [options.model], choose_device(options.device)
        )
        folder = find_model(options.model)
        name = (folder.parent if folder.name == "best" else folder).name
        service = Service(
            Batcher(captioner),
            name,
            options.limits,
            options.allow_links,
            options.host,
            options.names,
        )

        def tell() -> None:
            _report(f"{name} is served at {address} (Ctrl-C ends it)")
            if not is_loopback(options.host):
                _report("whoever is in the network of this machine can use it as well")
            if options.open:
                import webbrowser

                webbrowser.open(address)

        serve(service, listening, tell)
    _report("stopped")
    return 0


def _report(message: str) -> None:
    print(f"captioner: {message}", file=sys.stderr, flush=True)
