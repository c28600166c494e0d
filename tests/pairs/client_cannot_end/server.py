import socket
import threading
from config import HOST, PORT, SIZE

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((HOST, PORT))
server.listen()
members = []


def tell(text, but=None):
    for m in members.copy():
        if m[0] != but:
            m[0].send(text.encode())


def chat(conn):
    nick = conn.recv(SIZE).decode()
    if nick == "":
        conn.close()
        return
    member = (conn, nick)
    members.append(member)
    tell(f"+ {nick}", conn)
    while True:
        try:
            text = conn.recv(SIZE).decode()
        except ConnectionError:
            break
        if not text:
            break
        tell(f"{nick}: {text}", conn)
    members.remove(member)
    tell(f"- {nick}")


print("Сервер работает на порту", PORT)
while True:
    conn, addr = server.accept()
    threading.Thread(target=chat, args=(conn,), daemon=True).start()
