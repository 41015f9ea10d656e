"""A FastAPI service that logs every prediction it makes: ``uvicorn fastapi_service:app``.

What a service of its own takes from here: the lifespan, which flushes what was said before the process ends; the middleware,
which gives each request an id; and `log.timed`, which logs a prediction with its latency, or its failure.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers import PredictionLogger
from producers.ids import new_id
from producers.metrics import CONTENT_TYPE, render
from producers.trace import trace_of

REQUEST_ID = "x-request-id"
PLANS = {"basic": 0.4, "plus": -0.3}

log = PredictionLogger(model="churn", model_version="1")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Connect before the first request, and flush before the process ends: uvicorn ends without Python's exit handlers."""
    async with log:
        yield


class RequestIds:
    """Gives each request the id that its caller sent, or a new one, and sends it back. Plain ASGI, so no context is lost."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan, which has none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"]).get(REQUEST_ID.encode(), b"").decode("latin-1")
        request_id = scope.setdefault("state", {})["request_id"] = sent or new_id()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        await self._app(scope, receive, answer)


app = FastAPI(lifespan=lifespan)
app.add_middleware(RequestIds)


def of_request(request: Request) -> dict[str, Any]:
    """What every prediction of a request says of it. With OpenTelemetry in the service the trace is found without this."""
    trace_id, span_id = trace_of(request.headers.get("traceparent"))
    return {"request_id": request.state.request_id, "trace_id": trace_id, "span_id": span_id}


OfRequest = Annotated[dict[str, Any], Depends(of_request)]


class Customer(BaseModel):
    """Who may leave."""

    customer: str
    tenure_months: float
    plan: str


class Answer(BaseModel):
    """What the model says, and the id under which the truth may be reported."""

    prediction_id: str
    score: float
    decision: str


def model(customer: Customer) -> float:
    """The probability that a customer leaves; a plan that it was not trained on is a KeyError."""
    return 1 / (1 + math.exp(0.1 * customer.tenure_months - 2 - PLANS[customer.plan]))


def predicted(customer: Customer, said: dict[str, Any]) -> Answer:
    """One prediction, which is logged whether it succeeds or not."""
    features = customer.model_dump(exclude={"customer"})
    with log.timed(features=features, entity_id=customer.customer, **said) as event:
        event.score = score = model(customer)
        event.decision = decision = "leave" if score >= 0.5 else "stay"
    return Answer(prediction_id=event.prediction_id, score=score, decision=decision)


@app.post("/predictions")
def prediction(customer: Customer, said: OfRequest) -> Answer:
    """One customer."""
    try:
        return predicted(customer, said)
    except KeyError:
        raise HTTPException(422, "unknown plan") from None


@app.post("/predictions/batch")
async def batch(customers: list[Customer], said: OfRequest) -> list[Answer]:
    """Many: they share the request's id, and each has its place in it."""
    return [predicted(one, {**said, "item_index": place}) for place, one in enumerate(customers)]


@app.post("/labels/{prediction_id}", status_code=202)
async def label(prediction_id: str, truth: str) -> None:
    """What became of a customer."""
    log.label(prediction_id, truth=truth, source="crm")


@app.get("/metrics")
def metrics() -> PlainTextResponse:
    """What was logged, and what was lost, of this process."""
    return PlainTextResponse(render(log), media_type=CONTENT_TYPE)
