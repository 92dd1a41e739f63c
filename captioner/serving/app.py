"""The HTTP interface: `POST /caption` and what the page wants besides."""

import logging
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

import captioner
from captioner.serving.answers import Answer, Failure, Problem, Settings
from captioner.serving.desk import Desk, Service
from captioner.serving.guard import Guard
from captioner.serving.limits import Limits, RefusedError

STATIC = Path(__file__).parent / "static"

FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The form cannot be read."},
    403: {"model": Failure, "description": "From another website, or for another host."},
    413: {"model": Failure, "description": "Too large or too many."},
    415: {"model": Failure, "description": "No form, or no picture."},
    422: {"model": Failure, "description": "No photo, a damaged one, or settings of no use."},
    503: {"model": Failure, "description": "Too much to do; Retry-After tells when to try again."},
    504: {"model": Failure, "description": "It took too long."},
}


def _form_of(schema: dict[str, Any]) -> dict[str, Any]:
    """How OpenAPI tells of a multipart form."""
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


BINARY = {"type": "string", "format": "binary"}


def make_app(service: Service) -> Guard:
    """The application, ready for a server.

    Args:
        service: What it works with.
    """
    desk = Desk(service)
    app = FastAPI(
        title="captioner",
        version=captioner.__version__,
        description="Captions of photos. Nothing that is sent here is kept.",
        docs_url=None,
        redoc_url=None,
    )
    settings = Settings.model_json_schema()
    limits = service.limits
    caption_form = {
        "type": "object",
        "properties": {
            "image": {"type": "array", "items": BINARY, "description": "Photos, one or more."},
            "url": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Links to photos, where the server follows them.",
            },
            **settings["properties"],
        },
    }

    @app.post(
        "/caption",
        summary="Caption photos",
        description=f"At most {limits.max_photos} photos of {limits.max_megabytes:g} MB and "
        f"{limits.max_megapixels:g} million pixels each, {limits.max_request:g} MB together. A "
        "photo that cannot be used is told of in its place; if none can, so is the status.",
        response_model=Answer,
        responses=FAILURES,
        openapi_extra=_form_of(caption_form),
    )
    async def caption(request: Request) -> Response:
        photos, status = await desk.caption(request)
        told = [photo.model_dump(exclude_none=True) for photo in photos]
        if status == 200:
            return JSONResponse({"model": service.model, "photos": told})
        first = photos[0].error
        assert first is not None
        message = first.message if len(photos) == 1 else "none of the photos could be captioned"
        return _failure(RefusedError(status, message, 2 if status == 503 else None), told)

    @app.post(
        "/describe",
        summary="Write a caption into a photo's description",
        description="Gives a copy of a JPEG (EXIF, XMP) or PNG (text, XMP) with the same pixels.",
        responses={**FAILURES, 200: {"content": {"image/*": {"schema": BINARY}}}},
        response_class=Response,
        openapi_extra=_form_of(
            {
                "type": "object",
                "required": ["image", "caption"],
                "properties": {"image": BINARY, "caption": {"type": "string"}},
            }
        ),
    )
    async def write(request: Request) -> Response:
        return await desk.describe(request)

    app.post("/link", include_in_schema=False)(desk.link)

    @app.get("/health", summary="Whether it works, and how much waits")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "model": service.model, "waiting": desk.waiting.taken}

    @app.get("/about", summary="The model and the limits")
    async def about() -> dict[str, Any]:
        preprocessing = service.batcher.captioner.preprocessing
        return {
            "model": service.model,
            "version": captioner.__version__,
            "fit": preprocessing.fit,
            "links": service.allow_links,
            "limits": {name: getattr(limits, name) for name in Limits.__dataclass_fields__},
        }

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(STATIC / "docs.html")

    app.mount("/static", StaticFiles(directory=STATIC))

    @app.exception_handler(RefusedError)
    async def refuse(request: Request, refused: RefusedError) -> Response:
        return _failure(refused)

    @app.exception_handler(HTTPException)
    async def refuse_http(request: Request, error: HTTPException) -> Response:
        return _failure(RefusedError(error.status_code, str(error.detail)))

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> Response:
        logging.getLogger("captioner").error("a request failed", exc_info=error)
        return _failure(RefusedError(500, "the server failed; its log tells more"))

    return Guard(app, service.host, service.names)


def _failure(refused: RefusedError, photos: Any = None) -> JSONResponse:
    problem = Problem(status=refused.status, message=refused.message)
    headers = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    content = {"error": problem.model_dump()} | ({} if photos is None else {"photos": photos})
    return JSONResponse(content, refused.status, headers)
