"""A benchmark of chat servers on one machine, side by side: `python notebooks/bench`.

| module | what it holds |
|---|---|
| `servers` | how each server is started and stopped |
| `launch` | a server with one thing changed: batches of one, `TCP_NODELAY` off, sends recorded |
| `processors` | a processor for the server, one for the load generator; how busy they were |
| `forwarder`, `asyncio_chat`, `asyncio_batches` | three servers to compare with |
| `command` | their command line |
| `dialects`, `users` | what a simulated user says, and how many of them join |
| `load`, `settings` | the load generator, a process of its own, and what it can be told |
| `single`, `rate`, `saturation`, `attacks` | its modes |
| `stats` | percentiles and tables |
| `suite` | which cases are measured, in which order, and how |
| `report` | the tables of the results, and the goals |
"""
