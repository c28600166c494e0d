import socket
import threading

clients = []
nicks = {}


def broadcast(message, sender=None):
    gone = []
    for client in clients[:]:
        if client == sender:
            continue
        try:
            client.send(message.encode("utf-8"))
        except OSError:
            gone.append(client)
    for client in gone:
        if client in clients:
            clients.remove(client)
            client.close()
            broadcast(nicks[client] + " disconnected")


def handle(client):
    nick = client.recv(1024).decode("utf-8")
    if not nick:
        return
    nicks[client] = nick
    clients.append(client)
    broadcast(nick + " connected", client)
    while True:
        try:
            message = client.recv(1024).decode("utf-8")
            if message == "":
                break
            broadcast("{}: {}".format(nick, message), client)
        except ConnectionError:
            break


def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", 5678))
    server.listen(100)
    print("Server started")
    while True:
        client, addr = server.accept()
        threading.Thread(target=handle, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()
