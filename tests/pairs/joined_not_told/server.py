import socket
import threading

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('localhost', 5005))
server.listen(10)
clients = []


def send_all(message):
    for client in list(clients):
        client.send(message.encode('cp1251'))


def handler(client, address):
    name = client.recv(1024).decode('cp1251')
    if not name:
        return
    print(name, 'подключился', address)
    clients.append(client)
    while True:
        try:
            message = client.recv(1024).decode('cp1251')
        except OSError:
            break
        if not message or message == 'стоп':
            break
        send_all(name + ' пишет: ' + message)
    clients.remove(client)
    client.close()
    print(name, 'отключился')
    send_all(name + ' вышел из чата')


print('Сервер ждёт подключений')
while True:
    client, address = server.accept()
    threading.Thread(target=handler, args=(client, address), daemon=True).start()
