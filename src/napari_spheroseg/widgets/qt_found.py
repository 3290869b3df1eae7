"""Which Qt there is: for `doctor`, which imports this in a process of its own."""

from qtpy import API_NAME, QtGui, QtWidgets  # noqa: F401 - whether they load is the question
from qtpy.QtCore import qVersion

found = {"binding": API_NAME, "version": qVersion()}
