"""A table of the application's own, in the same transactions as authcore's."""

from django.db import models


class Note(models.Model):
    """Something that somebody wrote."""

    text = models.CharField(max_length=100)
