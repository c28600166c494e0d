import socket
import threading

IP = "0.0.0.0"
PORT = 1234
BUFFER = 4096
connections = []


def broadcast(data, sender):
    for connection in connections[:]:
        if connection != sender:
            connection.send(data)


def handle_client(connection, address):
    print(f"[NEW CONNECTION] {address}")
    broadcast("В чат зашёл новый пользователь".encode("utf8"), connection)
    connections.append(connection)
    while True:
        try:
            data = connection.recv(BUFFER)
            if len(data) == 0:
                break
            broadcast(data, connection)
        except ConnectionError:
            break
    connections.remove(connection)
    connection.close()
    print(f"[CLOSED] {address}")
    broadcast("Пользователь покинул чат".encode("utf8"), None)


def start():
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((IP, PORT))
    server.listen()
    print(f"[LISTENING] {IP}:{PORT}")
    while True:
        connection, address = server.accept()
        thread = threading.Thread(target=handle_client, args=(connection, address))
        thread.daemon = True
        thread.start()


print("[STARTING] server is starting...")
start()
