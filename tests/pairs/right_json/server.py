# Чат. Каждое сообщение - одна строка JSON, в конце \n
import json
import queue
import socket
import threading

PORT = 5901
users = {}  # имя -> очередь исходящих
lock = threading.Lock()


def to_all(msg, but=None):
    with lock:
        for name, q in users.items():
            if name != but:
                try:
                    q.put_nowait(msg)
                except queue.Full:
                    pass  # не читает - теряет сообщения, остальные не ждут


def writer(conn, q):
    try:
        while True:
            msg = q.get()
            if msg is None:
                break
            conn.sendall((json.dumps(msg) + "\n").encode())
    except OSError:
        pass
    conn.close()


def client(conn):
    name = None
    q = queue.Queue(100000)
    threading.Thread(target=writer, args=(conn, q), daemon=True).start()
    try:
        for line in conn.makefile("r", encoding="utf-8"):
            msg = json.loads(line)
            if name is None:
                with lock:
                    ok = msg["name"] not in users and msg["name"] != ""
                    if ok:
                        name = msg["name"]
                        users[name] = q
                q.put({"type": "welcome" if ok else "taken"})
                if ok:
                    to_all({"type": "info", "text": f"{name} теперь с нами"}, name)
            else:
                to_all({"type": "msg", "from": name, "text": msg["text"]}, name)
    except (OSError, ValueError, KeyError):
        pass
    if name is not None:
        with lock:
            del users[name]
        to_all({"type": "info", "text": f"{name} нас покидает"})
    q.put(None)


s = socket.create_server(("127.0.0.1", PORT))
print("Сервер запущен, порт", PORT)
try:
    while True:
        c, addr = s.accept()
        threading.Thread(target=client, args=(c,), daemon=True).start()
except KeyboardInterrupt:
    print("Сервер остановлен")
