//! Several plan files as one: a mapping is merged key by key, secrets by their names, and what is later goes before what is
//! earlier.

use crate::config_file::tree::{Node, Value};

/// One file over another.
pub(super) fn over(below: Node, above: Node) -> Node {
    let (place, value) = (above.place, above.value);
    let value = match (below.value, value) {
        (below, Value::Empty) => below,
        (Value::Map(below), Value::Map(above)) => {
            let mut all = below;
            for (key, node) in above {
                match all.iter_mut().find(|(known, _)| known.name == key.name) {
                    Some((_, known)) if key.name == "secrets" => *known = by_name(known.clone(), node),
                    Some((_, known)) => *known = over(known.clone(), node),
                    None => all.push((key, node)),
                }
            }
            Value::Map(all)
        }
        (_, above) => above,
    };
    Node { place, value }
}

fn by_name(below: Node, above: Node) -> Node {
    let (Value::List(mut all), Value::List(more)) = (below.value.clone(), above.value.clone()) else { return above };
    for node in more {
        match all.iter_mut().find(|known| name(known).is_some() && name(known) == name(&node)) {
            Some(known) => *known = node,
            None => all.push(node),
        }
    }
    Node { place: below.place, value: Value::List(all) }
}

fn name(node: &Node) -> Option<String> {
    let Value::Map(all) = &node.value else { return None };
    let (_, name) = all.iter().find(|(key, _)| key.name == "name")?;
    if let Value::Text(text) = &name.value { Some(text.clone()) } else { None }
}
