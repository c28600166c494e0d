import socket
import threading

members = {}
last = {}  # последнее сообщение участника: защита от флуда
guard = threading.Lock()


def post(text, author):
    with guard:
        for sock, name in members.items():
            if name != author:
                try:
                    sock.sendall((text + '\n').encode())
                except OSError:
                    pass


def serve(sock):
    lines = sock.makefile(encoding='utf-8')
    name = None
    try:
        name = lines.readline().strip()
        if name:
            with guard:
                members[sock] = name
            post(f'{name} в чате', name)
        for line in lines:
            line = line.strip()
            if line == last.get(name):
                continue
            last[name] = line
            post(f'{name}: {line}', name)
    except OSError:
        pass
    with guard:
        members.pop(sock, None)
    if name:
        post(f'{name} ушёл', name)
    sock.close()


server = socket.create_server(('localhost', 6200))
while True:
    sock, address = server.accept()
    threading.Thread(target=serve, args=(sock,), daemon=True).start()
