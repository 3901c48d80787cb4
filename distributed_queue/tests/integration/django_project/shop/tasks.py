"""What the shop does in the background."""

import sys

from django.db import connection

from distributed_queue.integrations.django import app
from shop.models import Order

if sys.version_info >= (3, 12):
    from django.tasks import task
else:
    from django_tasks import task


@app.task(queue="mail")
def confirm(order_id: int) -> str:
    """Confirm an order."""
    order = Order.objects.get(pk=order_id)
    order.confirmed = True
    order.save()
    return order.item


@app.task
async def count() -> int:
    """Count the orders, on the event loop."""
    return await Order.objects.acount()


@app.task(executor="process")
def count_elsewhere() -> int:
    """Count the orders, in a child process."""
    return Order.objects.count()


@app.task
def open_connection() -> int:
    """Use the database; the id of this thread's connection to it."""
    Order.objects.exists()
    return id(connection.connection)


@task(queue_name="mail", priority=10)
def send_mail(to, subject="hi"):
    """A task that knows only Django's interface."""
    return f"{subject} to {to}"


@task
async def asend_mail(to):
    """The same on the event loop."""
    return f"to {to}"


@task(takes_context=True)
def tell_attempt(context):
    """The number of the attempt, and the id."""
    return [context.attempt, context.task_result.id]


class MailRefused(Exception):
    """The mail server does not want it."""


@task
def refuse(to):
    """Fail."""
    raise MailRefused(to)
