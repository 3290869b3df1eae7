"""Asking a server for a file: proxies and certificates of the environment, errors that help."""

from __future__ import annotations

import os
import ssl
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from ... import __version__
from ...errors import UnreadableFile
from .address import Address

OFFLINE_VARIABLE = "SPHEROSEG_OFFLINE"
TIMEOUT = 30  # seconds without a byte
_NOT_SATISFIABLE = 416
_ELSEWHERE = "Or download it on another computer, and install the file."
_HINTS = {
    401: "It asks who you are: download it with a browser, and install the file.",
    403: "It asks who you are: download it with a browser, and install the file.",
    404: "Check the address.",
    410: "The file was taken away; look for a newer address.",
    429: "Too many asked it; try again later.",
}


class DownloadFailed(UnreadableFile):
    """A file that could not be fetched, or not to its end."""


class _NoWayDown(HTTPRedirectHandler):
    """Follows a server elsewhere, but not to where anybody on the way could change the file."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise DownloadFailed(
                f"{req.host} sends on to {scheme}://{urlsplit(newurl).netloc}, which is not safe",
                hint="Ask for an address with https://.",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def ask(address: Address, headers: dict[str, str]) -> HTTPResponse | None:
    """Ask for a file.

    Parameters
    ----------
    address : Address
    headers : dict of str to str
        Sent along.

    Returns
    -------
    HTTPResponse or None
        To be closed; None: what was asked for begins at the end of the file, or behind it.

    Raises
    ------
    DownloadFailed
        The server cannot be reached, or does not give the file; or we are told to stay offline.
    """
    if os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"):
        raise DownloadFailed(
            f"{address.host} is not asked, for {OFFLINE_VARIABLE} is set",
            hint="Install from a file, or unset it.",
        )
    headers = {"User-Agent": f"napari-spheroseg/{__version__}", **headers}
    request = Request(address.url, headers={**headers, "Accept-Encoding": "identity"})
    try:
        # build_opener itself brings the proxies of the environment
        opener = build_opener(_NoWayDown, HTTPSHandler(context=_certificates()))
        response: HTTPResponse = opener.open(request, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == _NOT_SATISFIABLE:
            return None
        hint = _HINTS.get(error.code, "Try again later." if error.code >= 500 else "")
        raise DownloadFailed(
            f"{address.host} answers {error.code} {error.reason} for {address.shown}",
            hint=hint or "Check the address.",
        ) from error
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise unreachable(address, error) from error
    if response.headers.get_content_type() == "text/html":
        response.close()
        raise DownloadFailed(
            f"{address.shown} is a web page, not a file",
            hint="Copy the address of the link that downloads the file.",
        )
    return response


def unreachable(address: Address, error: Exception) -> DownloadFailed:
    """Error for a server that does not answer, or stopped answering."""
    if isinstance(error, DownloadFailed):
        return error
    why = getattr(error, "reason", None) or error
    if isinstance(why, ssl.SSLError):
        hint = "Where a network has certificates of its own, let SSL_CERT_FILE point to them."
    else:
        hint = "Check the network, and HTTPS_PROXY where there is a proxy."
    said = str(getattr(why, "strerror", None) or why or type(error).__name__)
    return DownloadFailed(f"{address.host} cannot be reached: {said}", hint=f"{hint} {_ELSEWHERE}")


def _certificates() -> ssl.SSLContext:
    """Those of the system, or of the file that the environment names."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE", "")
    if not bundle or "SSL_CERT_FILE" in os.environ:  # which OpenSSL reads by itself
        return ssl.create_default_context()
    path = Path(bundle)
    return ssl.create_default_context(
        cafile=None if path.is_dir() else bundle, capath=bundle if path.is_dir() else None
    )
