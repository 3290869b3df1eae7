"""Files from addresses: https, resumed where a connection broke, compared with a checksum."""

from .address import Address
from .opener import DownloadFailed
from .transfer import Download, Received

__all__ = ["Address", "Download", "DownloadFailed", "Received"]
