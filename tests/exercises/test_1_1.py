"""Exercise 1.1: an echo server for several clients."""

from marks import exercise

STEP = 1


@exercise("никто не ждёт, пока уйдёт другой клиент")
def test_nobody_waits_for_another_client_to_leave(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    for client in (carl, bob, ann):  # the last one to come is the first one to speak
        client.say(f"hello from {client.name}")
        client.expect(f"hello from {client.name}")


@exercise("оборванное соединение и клиент, который не читает, не мешают остальным")
def test_a_client_that_is_reset_or_does_not_read_stops_nobody_else(chat):
    ann = chat.join("ann")
    broken = chat.join("broken")
    lazy = chat.connect("lazy", reads=False)
    lazy.floods_bytes(b"x" * 20_000_000)
    assert lazy.is_held_up()
    broken.reset()
    for client in (chat.join("bob"), ann):
        client.say("hello")
        client.expect("hello")
    assert "Traceback" not in chat.server.stderr(), "сервер печатает traceback"
