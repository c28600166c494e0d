import socket
import threading

host = "127.0.0.1"
port = 55555

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((host, port))
server.listen()

clients = []
nicknames = []


def broadcast(message, skip=None):
    for client in list(clients):
        if client is not skip:
            client.send(message)


def handle(client, nickname):
    while True:
        try:
            message = client.recv(1024)
            if not message:
                break
            broadcast(f"{nickname}> ".encode() + message, client)
        except ConnectionError:
            break
    clients.remove(client)
    nicknames.remove(nickname)
    broadcast(f"{nickname} left the chat".encode())
    client.close()


def receive():
    while True:
        client, address = server.accept()
        print(f"Connected with {address}")
        try:
            client.send("NICK".encode())
            nickname = client.recv(1024).decode()
        except ConnectionError:
            continue
        nicknames.append(nickname)
        clients.append(client)
        broadcast(f"{nickname} joined the chat".encode(), client)
        threading.Thread(target=handle, args=(client, nickname), daemon=True).start()


print("Server is listening...")
receive()
