import socket

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(('127.0.0.1', 5432))
clients = {}
print('Сервер запущен')
while True:
    data, addr = sock.recvfrom(1024)
    text = data.decode()
    if addr not in clients:
        clients[addr] = text
        text = f'{text} присоединился к чату'
    elif text == 'exit':
        text = f'{clients.pop(addr)} покинул чат'
    else:
        text = f'{clients[addr]}: {text}'
    print(text)
    for client in clients:
        if client != addr:
            sock.sendto(text.encode(), client)
