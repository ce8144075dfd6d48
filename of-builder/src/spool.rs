//! Takes an upload into a file without a name: it is gone with its handle, also when this process is killed.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use axum::body::BodyDataStream;
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::signature::Running;

/// A client that is refused early still sends its body; it sees the answer only if somebody takes the rest.
const DISCARD_TIME: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    #[error("the body did not arrive within {0:?}")]
    TooSlow(Duration),
    #[error("the body broke off")]
    BrokenOff(#[source] axum::Error),
    #[error("the upload could not be kept: is the builder's disk full?")]
    Disk(#[source] io::Error),
}

/// How much is taken, for how long, and where it is kept.
pub(crate) struct Spool<'a> {
    pub(crate) limit: u64,
    pub(crate) time: Duration,
    pub(crate) directory: Option<&'a Path>,
}

impl Spool<'_> {
    /// Keeps the whole body and feeds it to the signature as it passes.
    pub(crate) async fn receive(&self, body: &mut BodyDataStream, signature: &mut Running) -> Result<File, SpoolError> {
        let mut file = self.create()?;
        let copy = async move {
            let mut taken = 0;
            while let Some(chunk) = body.next().await {
                let chunk: Bytes = chunk.map_err(SpoolError::BrokenOff)?;
                taken += chunk.len() as u64;
                if taken > self.limit {
                    return Err(SpoolError::TooLarge(self.limit));
                }
                signature.update(&chunk);
                file = write(file, chunk).await.map_err(SpoolError::Disk)?;
            }
            Ok(file)
        };
        tokio::time::timeout(self.time, copy).await.map_err(|_| SpoolError::TooSlow(self.time))?
    }

    fn create(&self) -> Result<File, SpoolError> {
        match self.directory {
            Some(directory) => tempfile::tempfile_in(directory),
            None => tempfile::tempfile(),
        }
        .map_err(SpoolError::Disk)
    }
}

async fn write(mut file: File, chunk: Bytes) -> io::Result<File> {
    tokio::task::spawn_blocking(move || file.write_all(&chunk).map(|()| file)).await.map_err(io::Error::other)?
}

/// Takes the rest of a refused body, within limits, and forgets it.
pub(crate) async fn discard(body: &mut BodyDataStream, limit: u64) {
    let rest = async {
        let mut taken = 0;
        while let Some(Ok(chunk)) = body.next().await {
            taken += chunk.len() as u64;
            if taken > limit {
                return;
            }
        }
    };
    // Whoever is slower than this will see a broken connection.
    let _ = tokio::time::timeout(DISCARD_TIME, rest).await;
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use axum::body::Body;
    use futures_util::stream;

    use super::*;

    const SPOOL: Spool<'_> = Spool { limit: 10, time: Duration::from_secs(5), directory: None };

    fn signature() -> Running {
        Running::new(&"k".into()).unwrap()
    }

    #[tokio::test]
    async fn the_body_is_kept_whole() {
        let chunks = stream::iter(["hello", " you"].map(|text| Ok::<_, io::Error>(Bytes::from(text))));
        let mut body = Body::from_stream(chunks).into_data_stream();
        let mut file = SPOOL.receive(&mut body, &mut signature()).await.unwrap();
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello you");
    }

    #[tokio::test]
    async fn a_large_body_is_cut_short() {
        let mut body = Body::from(vec![0; 11]).into_data_stream();
        let error = SPOOL.receive(&mut body, &mut signature()).await.unwrap_err();
        insta::assert_snapshot!(error, @"the body is larger than 10 bytes");
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let mut body = Body::from_stream(stream::pending::<io::Result<Bytes>>()).into_data_stream();
        let spool = Spool { time: Duration::from_millis(20), ..SPOOL };
        let error = spool.receive(&mut body, &mut signature()).await.unwrap_err();
        insta::assert_snapshot!(error, @"the body did not arrive within 20ms");
    }

    #[tokio::test]
    async fn a_missing_folder_is_said_plainly() {
        let spool = Spool { directory: Some(Path::new("/nonexistent")), ..SPOOL };
        let error = spool.receive(&mut Body::empty().into_data_stream(), &mut signature()).await.unwrap_err();
        insta::assert_snapshot!(error, @"the upload could not be kept: is the builder's disk full?");
    }
}
