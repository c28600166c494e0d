"""A benchmark of chat servers on one machine, side by side: `python notebooks/bench`.

| module | what it holds |
|---|---|
| `servers` | how each server is started and stopped |
| `launch` | a server with one thing changed: without `TCP_NODELAY`, or every `send` recorded |
| `forwarder`, `asyncio_chat` | two servers to compare with |
| `dialects`, `users` | what a simulated user says, and how many of them join |
| `load` | the load generator, a process of its own |
| `stats` | percentiles and tables |
| `suite` | which cases are measured, in which order, and the goals |
"""
