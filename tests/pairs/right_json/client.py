import json
import os
import socket
import threading

sock = socket.create_connection(("127.0.0.1", 5901))
incoming = sock.makefile("r", encoding="utf-8")


def send(msg):
    sock.sendall((json.dumps(msg) + "\n").encode())


def listen():
    try:
        for line in incoming:
            m = json.loads(line)
            if m["type"] == "msg":
                print(f"<{m['from']}> {m['text']}")
            else:
                print("---", m["text"], "---")
    except OSError:
        pass
    print("Связь с сервером потеряна")
    os._exit(1)


while True:
    send({"name": input("Представьтесь: ").strip()})
    if json.loads(incoming.readline())["type"] == "welcome":
        break
    print("Такое имя уже занято, придумайте другое")

threading.Thread(target=listen, daemon=True).start()
print("Пишите сообщения. Чтобы выйти, введите /выход")
try:
    while True:
        text = input()
        if text == "/выход":
            break
        send({"text": text})
except (EOFError, KeyboardInterrupt):
    pass
os._exit(0)
