//! The owners that somebody belongs to.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use futures_util::future::join_all;
use sdk::identity::Role;

use crate::app::App;
use crate::ask;
use crate::page::{self, Shell};
use crate::visitor::Visitor;

/// More owners are not listed; nobody belongs to as many.
const MAX_OWNERS: usize = 100;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    shell: Shell,
    owners: Vec<Card>,
    down: Option<String>,
}

struct Card {
    login: String,
    initial: String,
    role: &'static str,
    functions: Option<usize>,
}

pub(crate) async fn show(State(app): State<App>, visitor: Visitor) -> Response {
    let mut places = visitor.places();
    places.truncate(MAX_OWNERS);
    let counts = join_all(places.iter().map(|place| ask::count(&app, place))).await;
    let down = counts.iter().find_map(|count| count.as_ref().err().map(ToString::to_string));
    let owners = places.iter().zip(counts).map(|(place, count)| Card {
        login: place.owner.to_string(),
        initial: place.owner.as_str().chars().take(1).flat_map(char::to_uppercase).collect(),
        role: if place.id.id == visitor.who.id { "You" } else { role(place.role) },
        functions: count.ok(),
    });
    page::good(&Home { shell: Shell::of(&visitor, "Home", "home"), owners: owners.collect(), down })
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Viewer => "Viewer",
        Role::Member => "Member",
        Role::Owner => "Owner",
    }
}
