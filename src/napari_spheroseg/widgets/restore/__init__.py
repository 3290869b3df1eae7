"""The widget ``Restore focus``, in parts."""
