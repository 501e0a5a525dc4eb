"""The options of a request, which stand in its query.

This module never guesses: a misspelt option is refused, not passed over.
"""

from collections.abc import Collection, Mapping

from aiohttp import web


def options(request: web.Request, known: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Return the options given; `known` has the values that each may have.

    Raises:
        web.HTTPBadRequest: an option is unknown, given twice, or has another value; the text says
            what there is.
    """
    for name, value in request.query.items():
        if name not in known:
            raise web.HTTPBadRequest(
                text=f"There is no option {name[:80]!a} here. There is: {', '.join(known)}\n",
            )
        if len(request.query.getall(name)) > 1:
            raise web.HTTPBadRequest(text=f"The option {name} is given more than once.\n")
        if value not in known[name]:
            choice = ", ".join(known[name])
            raise web.HTTPBadRequest(text=f"The option {name} is one of: {choice}\n")
    return dict(request.query)
