import socket
import threading

host = input('Адрес сервера (Enter - localhost): ') or 'localhost'
port = 11111
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((host, port))
s.listen(5)
print('Сервер запущен', host, port)

clients = set()


def for_client(client):
    clients.add(client)
    while True:
        try:
            data = client.recv(1024)
        except OSError:
            break
        if not data:
            break
        for c in list(clients):
            if c != client:
                c.sendall(data)
    clients.discard(client)
    client.close()


while True:
    client, addr = s.accept()
    threading.Thread(target=for_client, args=(client,), daemon=True).start()
