"""The widget ``Classify objects``, in parts."""
