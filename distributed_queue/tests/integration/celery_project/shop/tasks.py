from celery import shared_task
from celery.utils.log import get_task_logger

logger = get_task_logger(__name__)
answers = {"flaky": 2}


@shared_task
def add(x, y=1):
    return x + y


@shared_task(bind=True, max_retries=3, default_retry_delay=0.05, acks_late=True)
def fetch(self, url):
    """Try again by hand, as most projects do."""
    if self.request.retries < 2:
        try:
            raise ConnectionError(url)
        except ConnectionError as error:
            raise self.retry(exc=error, countdown=0.05)
    logger.info("fetched %s", url)
    return {"url": url, "retries": self.request.retries, "id": self.request.id}


@shared_task(bind=True, max_retries=1, default_retry_delay=0.05)
def never(self):
    raise self.retry(exc=ValueError("no"))


@shared_task(autoretry_for=(TimeoutError,), retry_backoff=0.05, retry_kwargs={"max_retries": 2}, retry_jitter=False)
def charge(cents):
    if cents < 0:
        raise ValueError("negative")
    raise TimeoutError("no answer from the bank")


@shared_task(soft_time_limit=0.3, queue="slow")
def hang():
    import time

    while True:
        time.sleep(0.01)
