"""A picture as wide as there is room, with what stands below it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget

_HIGHEST, _LEAST = 320, 90  # px


class Picture(QWidget):
    """Shows a picture with its aspect kept; takes no room while there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.pixmap = QPixmap()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._shown: tuple[Path, float] | None = None
        self.hide()

    def show_file(self, path: Path | None) -> None:
        """Show an image file, unless it is on screen already; None clears."""
        wanted = None
        try:
            wanted = None if path is None else (path, path.stat().st_mtime)
        except OSError:  # removed meanwhile
            path = None
        if wanted != self._shown:
            self._shown = wanted
            self._show(QPixmap() if path is None else QPixmap(str(path)))

    def show_array(self, picture: NDArray[np.uint8] | None) -> None:
        """Show uint8 (Y, X, 3), red, green and blue; None clears."""
        self._shown = None
        if picture is None:
            self._show(QPixmap())
            return
        picture = np.ascontiguousarray(picture)
        height, width = picture.shape[:2]
        image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self._show(QPixmap.fromImage(image.copy()))

    def _show(self, pixmap: QPixmap) -> None:
        self.pixmap = pixmap
        self.setVisible(not pixmap.isNull())
        self.updateGeometry()
        self.update()

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """The aspect is kept."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Of the picture, up to a limit."""
        if self.pixmap.isNull():
            return 0
        return min(_HIGHEST, max(_LEAST, width * self.pixmap.height() // self.pixmap.width()))

    def sizeHint(self) -> QSize:  # noqa: N802
        """As in a narrow dock."""
        return QSize(320, self.heightForWidth(320))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Something can be made out."""
        return QSize(100, 0 if self.pixmap.isNull() else _LEAST)

    def paintEvent(self, _: QPaintEvent | None) -> None:  # noqa: N802
        """Draw it, in the middle."""
        if self.pixmap.isNull():
            return
        size = self.pixmap.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        place = QRectF(left, top, size.width(), size.height())
        painter.drawPixmap(place, self.pixmap, QRectF(self.pixmap.rect()))
        painter.end()
