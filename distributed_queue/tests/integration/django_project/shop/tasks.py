"""What the shop does in the background."""

from django.db import connection

from distributed_queue.integrations.django import app
from shop.models import Order


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
