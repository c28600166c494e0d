import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(('localhost', 7400))
server.settimeout(0)
clients = []
log = open('server.log', 'a', encoding='utf-8')

while True:
    try:
        conn, addr = server.accept()
        clients.append(conn)
    except OSError as error:
        print('Ожидание подключения...', error)
        log.write('Ожидание подключения... ' * 1000 + '\n')
    for conn in clients:
        try:
            data = conn.recv(1024)
        except BlockingIOError:
            continue
        for other in clients:
            if other != conn:
                other.send(data)
