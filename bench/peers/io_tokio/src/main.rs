//! Tokio's server of the I/O benchmarks: current-thread, a task for each connection. The protocol is
//! that of bench/io/server.h.
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn echo(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = [0u8; 512];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => {
                if stream.write_all(&buffer[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("port {}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("version") => println!("Tokio {}, current_thread", env!("BENCH_TOKIO_VERSION")),
        Some("echo") => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()
                .expect("a runtime");
            if let Err(error) = runtime.block_on(serve()) {
                eprintln!("{error}");
                std::process::exit(1);
            }
        }
        _ => std::process::exit(2),
    }
}
