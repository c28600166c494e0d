import socket
import threading
import datetime

HOST = 'localhost'
PORT = 8001
conns = {}


def log(*args):
    print(datetime.datetime.now().strftime('%H:%M:%S'), *args)


def send(text, who):
    for name, conn in list(conns.items()):
        if name != who:
            try:
                conn.sendall(text.encode())
            except OSError:
                log('не доставлено', name)


def on_client(conn):
    with conn:
        name = conn.recv(512).decode().strip()
        if name == '':
            return
        conns[name] = conn
        log('вход', name)
        send(f'* {name} вошёл(а) в чат', name)
        while True:
            try:
                data = conn.recv(512)
            except OSError:
                break
            if data == b'':
                break
            t = datetime.datetime.now().strftime('%H:%M')
            send(f'[{t}] {name}: {data.decode()}', name)
        conns.pop(name, None)
        log('выход', name)


s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((HOST, PORT))
s.listen()
log('сервер запущен')
while True:
    conn, addr = s.accept()
    threading.Thread(target=on_client, args=(conn,), daemon=True).start()
