//! A stretch of network between two nodes that can be cut and mended while both go on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Forwards connections to one address, unless it is cut.
pub(crate) struct Proxy {
    /// Where to connect.
    pub(crate) address: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    is_cut: bool,
    is_over: bool,
    open: Vec<TcpStream>,
}

impl Proxy {
    pub(crate) fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let inner: Arc<Mutex<Inner>> = Arc::default();
        let (target, shared) = (target.to_owned(), Arc::clone(&inner));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let mut inner = shared.lock().unwrap();
                if inner.is_over {
                    return;
                }
                // A connection that meets a cut line is closed at once.
                if let (false, Ok(far)) = (inner.is_cut, TcpStream::connect(&target)) {
                    forward(&near, &far);
                    forward(&far, &near);
                    inner.open.extend([near, far]);
                }
            }
        });
        Self { address, inner }
    }

    pub(crate) fn cut(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.is_cut = true;
        for stream in inner.open.drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn mend(&self) {
        self.inner.lock().unwrap().is_cut = false;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.inner.lock().unwrap().is_over = true;
        // Wakes the thread, so that it sees that it is over.
        let _ = TcpStream::connect(&self.address);
    }
}

fn forward(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut scratch = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut scratch) {
            if to.write_all(&scratch[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
