import os

from celery import Celery

app = Celery("shop", broker=os.environ["BROKER_URL"], backend="rpc://")
app.conf.update(task_serializer="json", timezone="UTC")
app.autodiscover_tasks(["shop"])


@app.task(name="shop.ping")
def ping():
    return "pong"
