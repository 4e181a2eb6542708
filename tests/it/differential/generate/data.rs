//! `PUT` and `GET /v2/images/{id}/file`

use super::{Generator, Step};
use crate::differential::{
    model::Effect,
    request::{Request, Who},
    values::{percent, pick},
};
use rand::{Rng, RngCore};

impl Generator {
    pub(super) fn data(&mut self) -> Step {
        if percent(&mut self.random, 45) { self.upload() } else { self.download() }
    }

    pub(super) fn content(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        match random.random_range(0..20) {
            0 => Vec::new(),
            1 => [b"QFI\xfb\0\0\0\x03".as_slice(), &[0; 4096]].concat(),
            2 => [b"KDMV".as_slice(), &[0; 4096]].concat(),
            _ => {
                let mut data = vec![0; random.random_range(1..5000)];
                random.fill_bytes(&mut data);
                // Not by chance another format.
                data[0] = b'r';
                data
            }
        }
    }

    fn upload(&mut self) -> Step {
        let (id, who, number) = self.image();
        let data = self.content();
        let random = &mut self.random;
        let kinds = ["application/json", "", "application/octet-stream; x=y", "Application/Octet-Stream", "text/html"];
        let kind = if percent(random, 92) { "application/octet-stream" } else { pick(random, &kinds) };
        let mut request = Request::new(who, "PUT", format!("/v2/images/{id}/file"));
        let length = data.len();
        request = match random.random_range(0..20) {
            0..3 => {
                let chunk = if data.is_empty() {
                    Vec::new()
                } else {
                    [format!("{length:x}\r\n").as_bytes(), &data, b"\r\n"].concat()
                };
                request.body(kind, [&chunk, b"0\r\n\r\n".as_slice()].concat()).header("Transfer-Encoding", "chunked")
            }
            3 => request.body(kind, data).header("x-openstack-image-size", &length.to_string()),
            4 => request.body(kind, data).header("x-openstack-image-size", &(length + 1).to_string()),
            5 => {
                let odd = pick(random, &["x", "", "-1", "1.5", " 7 ", "99999999999999999999"]);
                request.body(kind, data).header("x-openstack-image-size", odd)
            }
            6 => request.body(kind, data).header("X-Image-Meta-Store", "nowhere"),
            _ => request.body(kind, data),
        };
        (request, Self::changes(number))
    }

    fn download(&mut self) -> Step {
        let (id, who, _) = self.image();
        self.download_of(&id, who)
    }

    pub(super) fn download_of(&mut self, id: &str, who: Who) -> Step {
        let mut request = Request::new(who, "GET", format!("/v2/images/{id}/file"));
        let random = &mut self.random;
        if percent(random, 50) {
            let ranges = [
                "bytes=0-0",
                "bytes=0-9",
                "bytes=5-",
                "bytes=-5",
                "bytes=0-99999999",
                "bytes=99999999-",
                "bytes=9-5",
                "bytes=0-1,3-4",
                "bytes=",
                "bytes",
                "0-5",
                "bytes=a-b",
                "bytes=-0",
                "bytes=-99999999",
                "Bytes=0-4",
                "bytes = 0-4",
                "bytes=0 - 4",
                "items=0-4",
                "bytes=0-4,",
                "",
            ];
            request = request.header("Range", pick(random, &ranges));
        } else if percent(random, 15) {
            let ranges = ["bytes 0-9/10", "bytes 0-9/*", "bytes 0-4/100000", "bytes */10", "nonsense", "bytes 5-2/10"];
            request = request.header("Content-Range", pick(random, &ranges));
        }
        if percent(random, 5) {
            request.path.push_str(pick(random, &["?prefer=x", "?prefer=", "?x=y"]));
        }
        (request, Effect::Reads)
    }
}
