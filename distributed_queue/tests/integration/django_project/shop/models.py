"""Orders."""

from django.db import models


class Order(models.Model):
    """An order, and the task that confirms it."""

    item = models.CharField(max_length=100)
    confirmed = models.BooleanField(default=False)
    task_id = models.CharField(max_length=100, blank=True)
