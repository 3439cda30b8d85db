"""The server's interface described for programs (OpenAPI 3.1) and for people (a page), made from the table. Pure."""

from __future__ import annotations

from html import escape
from typing import Any

from live import __version__
from live.control.commands import COMMANDS, Argument, Command

ROUTES = (
    ("get", "/state", "how the run stands, as JSON", "application/json"),
    ("get", "/log", "the newest lines of the log", "application/json"),
    ("get", "/metrics", "the figures for Prometheus", "text/plain"),
    ("get", "/picture.jpg", "what is shown, one picture", "image/jpeg"),
    ("get", "/stream.mjpg", "what is shown, moving", "multipart/x-mixed-replace"),
    ("get", "/before.mjpg", "what is captured, moving: REAL FACES; never in panic", "multipart/x-mixed-replace"),
    ("get", "/faces/{name}.jpg", "a source face, small", "image/jpeg"),
    ("post", "/faces", "add a source face: body a photo, `name` and `consent` in the address", "application/json"),
    ("get", "/ws", 'WebSocket: gives {"state": ...}, takes {"id": 1, "command": "face", "arguments": ["2"]}', ""),
    ("get", "/openapi.json", "this, for programs", "application/json"),
)


def description() -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, Any] = {}
    for method, path, summary, kind in ROUTES:
        content: dict[str, Any] = {kind: {}} if kind else {}
        paths[path] = {method: {"summary": summary, "responses": {"200": {"description": "fine", "content": content}}}}
    for name in ("name", "consent"):
        where = {"name": name, "in": "query", "required": True, "schema": {"type": "string"}}
        paths["/faces"]["post"].setdefault("parameters", []).append(where)
    where = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    paths["/faces/{name}.jpg"]["get"]["parameters"] = [where]
    for command in COMMANDS:
        paths[f"/command/{command.name}"] = {"post": _operation(command)}
    return {"openapi": "3.1.0", "info": {"title": "live", "version": __version__}, "paths": paths}


def page() -> str:
    """The same as a page of HTML without scripts."""
    rows = "".join(
        f"<tr><td><code>POST /command/{command.name}</code><td>{_words(command)}<td>{escape(command.help)}"
        for command in COMMANDS
    )
    others = "".join(
        f"<tr><td><code>{method.upper()} {escape(path)}</code><td><td>{escape(summary)}"
        for method, path, summary, _ in ROUTES
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>live: interface</title>"
        '<meta name=viewport content="width=device-width"><meta name=color-scheme content="dark light">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "td{padding:.3em 1em .3em 0;vertical-align:top}</style><h1>live: interface</h1>"
        "<p>Arguments are a JSON list of texts in the body, with <code>Content-Type: application/json</code>. "
        'The answer is <code>{"said": ...}</code> or <code>{"error": ...}</code>. '
        "From a terminal: <code>live ctl face 2</code>. For programs: <a href=/openapi.json>openapi.json</a>."
        f"<table>{rows}{others}</table>"
    )


def _words(command: Command) -> str:
    return "<br>".join(f"<code>{escape(one.usage)}</code> {escape(one.help)}" for one in command.arguments)


def _operation(command: Command) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": command.help, "operationId": command.name}
    answer = {"application/json": {"schema": {"type": "object", "properties": {"said": {"type": "string"}}}}}
    operation["responses"] = {
        "200": {"description": "done", "content": answer},
        "400": {"description": "not allowed; `error` says what is"},
    }
    if command.arguments:
        schema = {
            "type": "array",
            "prefixItems": [_schema(argument) for argument in command.arguments],
            "minItems": sum(argument.needed for argument in command.arguments),
            "maxItems": len(command.arguments),
        }
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _schema(argument: Argument) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "title": argument.name, "description": argument.help}
    choices = ("on", "off") if argument.kind == "switch" else argument.choices
    return {**schema, "enum": list(choices)} if choices else schema
