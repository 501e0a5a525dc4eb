"""What a Kubernetes API server says, as values and octets: watch lines, bookmarks, Status, tokens.

Held to the recordings in tests/fixtures/kubernetes. Nothing here remembers anything.
"""

import base64
import json
from typing import Any

from aiohttp import web

from tests.fakes.apistore import Kind, Object

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def line(kind: str, thing: Object) -> bytes:
    return json.dumps({"type": kind, "object": thing}, separators=(",", ":")).encode() + b"\n"


def bookmark(kind: Kind, version: int, annotations: dict[str, str] | None = None) -> bytes:
    metadata: Object = {"resourceVersion": str(version)}
    if annotations:
        metadata["annotations"] = annotations
    thing = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": metadata}
    return line("BOOKMARK", thing | kind.zero)


def make_token(version: int, start: str) -> str:
    content = {"v": "meta.k8s.io/v1", "rv": version, "start": start}
    text = json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read_token(token: str) -> tuple[int, str]:
    content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return content["rv"], content["start"]


def failure(code: int, message: str, **more: Any) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": more.pop("metadata", {}),
        "status": "Failure",
        "message": message,
        "reason": REASONS[code],
        **more,
        "code": code,
    }


def too_old(version: str, newest: int) -> Object:
    return failure(410, f"too old resource version: {version} ({newest})")


def expired_token(start: str) -> web.Response:
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can"
        " start a new list without the continue parameter, or use the continue token in this"
        " response to retrieve the remainder of the results."
    )
    body = failure(410, message, metadata={"continue": make_token(-1, start)})
    return web.json_response(body, status=410)


def watchlist_refused() -> web.Response:
    why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
    details = {
        "group": "meta.k8s.io",
        "kind": "ListOptions",
        "causes": [
            {
                "reason": "FieldValueForbidden",
                "message": f"Forbidden: {why}",
                "field": "sendInitialEvents",
            }
        ],
    }
    message = f'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: {why}'
    return web.json_response(failure(422, message, details=details), status=422)


def refusal(code: int, kind: Kind, verb: str, retry_after: int | None = None) -> web.Response:
    headers: dict[str, str] = {}
    more: Object = {}
    message = REASONS[code]
    if code == 403:
        more = {"details": {"kind": kind.plural}}
        group = kind.api_version.rpartition("/")[0]
        message = (
            f'{kind.plural} is forbidden: User "nobody" cannot {verb} resource "{kind.plural}"'
            f' in API group "{group}" at the cluster scope'
        )
    if retry_after is not None:
        headers = {"Retry-After": str(retry_after)}
        more = {"details": {"retryAfterSeconds": retry_after}}
    return web.json_response(failure(code, message, **more), status=code, headers=headers)
