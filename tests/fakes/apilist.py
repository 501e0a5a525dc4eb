"""How a Kubernetes API server answers a list: in pages of one version, or with a 410.

Held to the recordings in tests/fixtures/kubernetes. Nothing here remembers anything.
"""

from aiohttp import web

from tests.fakes import apianswers
from tests.fakes.apistore import Kind, Object, Params, Selection, Store, selection


def answer_list(store: Store, kind: Kind, params: Params, *, cached: bool) -> web.Response:
    """Answer one request; `cached` servers ignore `limit` at resourceVersion 0."""
    limit = int(params.get("limit", "0"))
    version, start = store.version, ""
    if token := params.get("continue"):
        if "resourceVersion" in params:
            message = "specifying resource version is not allowed when using continue"
            return web.json_response(apianswers.failure(400, message), status=400)
        version, start = apianswers.read_token(token)
        if version != -1 and version < store.oldest:
            return apianswers.expired_token(start)
        version = store.version if version == -1 else version
    elif cached and params.get("resourceVersion") == "0":
        limit = 0
    chosen = selection(params)
    found = [
        thing
        for thing in store.at(version, kind.plural)
        if chosen.matches(thing) and _path(thing) >= start
    ]
    return web.json_response(_page(kind, version, found, limit, counted=chosen == Selection()))


def _page(kind: Kind, version: int, found: list[Object], limit: int, *, counted: bool) -> Object:
    page = found[:limit] if limit else found
    metadata: Object = {"resourceVersion": str(version)}
    if len(page) < len(found):
        metadata["continue"] = apianswers.make_token(version, _path(page[-1]) + "\x00")
        if counted:
            # A real one does not count what a selector would still have to be applied to.
            metadata["remainingItemCount"] = len(found) - len(page)
    items = [
        {name: value for name, value in thing.items() if name not in {"kind", "apiVersion"}}
        for thing in page
    ]
    return {
        "kind": f"{kind.name}List",
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": items,
    }


def _path(thing: Object) -> str:
    metadata = thing["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
