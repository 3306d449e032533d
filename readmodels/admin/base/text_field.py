"""The form field for stored texts: notes, reasons and labels."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from payments.domain.text import TextError, checked_text


class StoredTextField(forms.CharField):
    """A text that `checked_text` accepts. With `rows`, it may have several lines."""

    def __init__(self, *, max_length: int, rows: int = 1, **options: Any) -> None:
        self._multiline = rows > 1
        widget = (
            UnfoldAdminTextareaWidget(attrs={"rows": rows, "dir": "auto"})
            if self._multiline
            else UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "dir": "auto"})
        )
        super().__init__(max_length=max_length, widget=widget, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text in self.empty_values:
            return text
        assert self.max_length is not None  # noqa: S101 - for mypy
        try:
            return checked_text(text, max_length=self.max_length, multiline=self._multiline)
        except TextError as error:
            raise forms.ValidationError(str(error), code=error.code) from error
