//! Images that nobody runs any more.
//!
//! Where there is no registry every push leaves one more image in the engine. An image that a container uses stays
//! whatever its age, as the engine does not give it away.

use std::collections::HashMap;
use std::time::Duration;

use crate::engine::LiveEngine;
use crate::image_name::ImageName;

/// The newest images of one function that stay, so that going back to an earlier commit needs no build.
const KEPT_PER_FUNCTION: usize = 5;
/// The newest images of one owner that stay. Function names cost nothing, so the first bound is not enough.
const KEPT_PER_OWNER: usize = 200;
const TIME: Duration = Duration::from_secs(60);

/// An image's full name and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) at: i64,
}

/// Removes what an image's owner has too much of. What goes wrong is logged: the next build tries again.
pub(crate) async fn remove(engine: &LiveEngine, newest: &ImageName) {
    let work = async {
        for name in surplus(engine.made_here().await?, newest) {
            if engine.remove_unused(&name).await? {
                tracing::info!(image = name, "an old image was removed");
            }
        }
        Ok::<_, bollard::errors::Error>(())
    };
    match tokio::time::timeout(TIME, work).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(cause = sdk::failure::chain(&error), "old images could not be removed"),
        Err(_) => tracing::warn!("removing old images took over {TIME:?}; the rest goes with the next build"),
    }
}

/// The names, of all images made here, that are too many in the folder of `newest`.
fn surplus(mut images: Vec<Made>, newest: &ImageName) -> Vec<String> {
    let Some((owner, _)) = newest.repository().rsplit_once('/') else { return Vec::new() };
    images.retain(|image| folder(&image.name) == Some(owner) && image.name != newest.to_string());
    images.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.name.cmp(&b.name)));
    let mut kept = HashMap::from([(newest.repository().to_owned(), 1)]);
    let mut all = 1;
    let mut too_many = |image: &Made| {
        let repository = image.name.rsplit_once(':').map_or(image.name.as_str(), |(repository, _)| repository);
        let of_this = kept.entry(repository.to_owned()).or_default();
        if *of_this >= KEPT_PER_FUNCTION || all >= KEPT_PER_OWNER {
            return true;
        }
        *of_this += 1;
        all += 1;
        false
    };
    images.into_iter().filter(|image| too_many(image)).map(|image| image.name).collect()
}

fn folder(name: &str) -> Option<&str> {
    name.rsplit_once('/').map(|(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: String, at: i64) -> Made {
        Made { name, at }
    }

    #[test]
    fn the_newest_of_each_function_stay_and_others_images_are_not_looked_at() {
        let mut images: Vec<Made> = (0..8).map(|n| made(format!("alice/shop-cart:{n}"), n)).collect();
        images.push(made("alice/shop-list:0".to_owned(), 0));
        for other in ["alice-x/shop-cart", "bob/cart", "r.local/alice/shop-cart", "alone"] {
            images.extend((0..8).map(|n| made(format!("{other}:{n}"), n)));
        }
        // The oldest is used again: it counts, and stays.
        let newest = "alice/shop-cart:0".parse().unwrap();
        assert_eq!(surplus(images.clone(), &newest), ["alice/shop-cart:3", "alice/shop-cart:2", "alice/shop-cart:1"]);
        assert!(surplus(images, &"alone:1".parse().unwrap()).is_empty());
    }

    #[test]
    fn an_owner_of_many_functions_has_a_bound_too() {
        let images: Vec<Made> = (0..300).map(|n| made(format!("alice/shop-f{n}:x"), n)).collect();
        let gone = surplus(images, &"alice/shop-new:x".parse().unwrap());
        assert_eq!(gone.len(), 300 - (KEPT_PER_OWNER - 1));
        assert!(gone.contains(&"alice/shop-f0:x".to_owned()) && !gone.contains(&"alice/shop-f299:x".to_owned()));
    }
}
