//! Taking rules away: those of one installation, and those that others have left behind.
//!
//! Both read what `iptables -S` lists, and take chains and the jumps to them away in one step: what happens in the
//! middle of it changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::is_gone;
use super::program::{Family, Trouble, restore, run};
use super::rules::{through_host, to_host};
use crate::instance::is_id;

/// Takes the chains of an installation away, with all jumps to them.
pub(super) async fn remove(family: Family, instance: &str) -> Result<(), Trouble> {
    let listed = run(family, &["-S"]).await?;
    match removal(&listed, instance) {
        Some(table) => restore(family, &table).await,
        None => Ok(()),
    }
}

/// Takes away what installations have left behind whose networks this machine no longer has: a gateway that was killed
/// and whose network was removed by hand leaves rules that nobody else knows of.
///
/// A gateway puts its rules in place once its network is there, so that the interface tells whether they are needed.
/// One whose network comes back within the very step that removes its rules makes them anew when it next looks.
pub(super) async fn clear(family: Family) -> Result<(), Trouble> {
    let listed = run(family, &["-S"]).await?;
    for (instance, interfaces) in installations(&listed) {
        if !interfaces.iter().all(|interface| is_gone(interface)) {
            continue;
        }
        if let Some(table) = removal(&listed, instance) {
            restore(family, &table).await?;
            tracing::info!(instance, "Removed the firewall's rules of an installation whose network is gone.");
        }
    }
    Ok(())
}

/// What `iptables-restore` is told to take an installation's chains away; `None` if there are none.
fn removal(listed: &str, instance: &str) -> Option<String> {
    let ours = [to_host(instance), through_host(instance)];
    let is_ours = |chain: &str| ours.iter().any(|ours| ours == chain);
    let jumps = listed.lines().filter(|line| target(line).is_some_and(is_ours));
    let deletions = jumps.filter_map(|line| Some(format!("-D {}", line.strip_prefix("-A ")?)));
    let chains: Vec<&str> =
        listed.lines().filter_map(|line| line.strip_prefix("-N ")).filter(|chain| is_ours(chain)).collect();
    let each = |option: &str| chains.iter().map(|chain| format!("{option} {chain}")).collect::<Vec<_>>();
    let lines: Vec<String> = deletions.chain(each("-F")).chain(each("-X")).collect();
    (!lines.is_empty()).then(|| format!("*filter\n{}\nCOMMIT\n", lines.join("\n")))
}

/// The installations that have jumps to their chains, each with the interfaces that they may be about. One whose
/// chains are used in any other way than ours is somebody else's business and left out, and so is one without jumps: it
/// may be just about to make them.
fn installations(listed: &str) -> BTreeMap<&str, BTreeSet<String>> {
    let mut found = BTreeMap::<&str, BTreeSet<String>>::new();
    let mut foreign = BTreeSet::new();
    for line in listed.lines() {
        let Some((instance, parents)) = target(line).and_then(owner) else { continue };
        match interface(line, parents) {
            Some(interface) => {
                let usual = || BTreeSet::from([format!("of-{instance}")]);
                found.entry(instance).or_insert_with(usual).insert(interface.to_owned());
            }
            None => drop(foreign.insert(instance)),
        }
    }
    found.retain(|instance, _| !foreign.contains(instance));
    found
}

/// The chain that a rule jumps to.
fn target(line: &str) -> Option<&str> {
    let mut words = line.strip_prefix("-A ")?.split_whitespace().rev();
    let target = words.next()?;
    matches!(words.next(), Some("-j" | "-g")).then_some(target)
}

/// Whose chain this is, if it is one of ours, and the chains that we jump to it from.
fn owner(chain: &str) -> Option<(&str, &'static [&'static str])> {
    let (instance, end) = chain.strip_prefix("OF-")?.split_once('-')?;
    let parents: &[&str] = match end {
        "IN" => &["INPUT"],
        "OUT" => &["FORWARD", "DOCKER-USER"],
        _ => return None,
    };
    is_id(instance).then_some((instance, parents))
}

/// The one interface that a jump is about, if it is such as we make it.
fn interface<'a>(line: &'a str, parents: &[&str]) -> Option<&'a str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["-A", parent, "-i", interface, "-j", _] = words.as_slice() else { return None };
    // A plus stands for any ending.
    let single = !interface.contains(['/', '+']) && !interface.starts_with('.');
    (single && parents.contains(parent)).then_some(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "\
-P INPUT ACCEPT
-N DOCKER-USER
-N OF-0123abcd-IN
-N OF-0123abcd-OUT
-N OF-89abcdef-IN
-A INPUT -i of-0123abcd -j OF-0123abcd-IN
-A INPUT -s 10.0.0.1/32 -m comment --comment \"by hand\" -j OF-0123abcd-IN
-A INPUT -i br-e34a46860c9e -j OF-89abcdef-IN
-A DOCKER-USER -i of-0123abcd -j OF-0123abcd-OUT
-A DOCKER-USER -j RETURN
-A OF-0123abcd-IN -j REJECT --reject-with icmp-admin-prohibited
";

    fn found(listed: &str) -> Vec<(&str, Vec<String>)> {
        installations(listed).into_iter().map(|(id, interfaces)| (id, interfaces.into_iter().collect())).collect()
    }

    #[test]
    fn chains_go_with_all_jumps_to_them_and_nothing_else_goes() {
        let table = removal(LISTED, "0123abcd").unwrap();
        let expected = "*filter\n-D INPUT -i of-0123abcd -j OF-0123abcd-IN\n\
                        -D INPUT -s 10.0.0.1/32 -m comment --comment \"by hand\" -j OF-0123abcd-IN\n\
                        -D DOCKER-USER -i of-0123abcd -j OF-0123abcd-OUT\n\
                        -F OF-0123abcd-IN\n-F OF-0123abcd-OUT\n-X OF-0123abcd-IN\n-X OF-0123abcd-OUT\nCOMMIT\n";
        assert_eq!(table, expected);
        assert_eq!(removal(LISTED, "0123abc"), None, "another's name is not the beginning of this one's");
    }

    #[test]
    fn installations_are_known_by_their_jumps() {
        let ours: String = LISTED.lines().filter(|line| !line.contains("by hand")).map(|l| format!("{l}\n")).collect();
        let (first, second) = (vec!["of-0123abcd".to_owned()], ["br-e34a46860c9e", "of-89abcdef"].map(str::to_owned));
        assert_eq!(found(&ours), [("0123abcd", first), ("89abcdef", second.to_vec())]);
        assert_eq!(found(LISTED).len(), 1, "chains that somebody else jumps to are not touched");
        assert_eq!(found("-N OF-0123abcd-IN\n-N OF-0123abcd-OUT\n"), [], "one that is just starting");
    }

    #[test]
    fn what_only_looks_like_ours_is_left_alone() {
        for line in [
            "-A INPUT -i of-x -j OF-x-IN",
            "-A INPUT -i of-0123ABCD -j OF-0123ABCD-IN",
            "-A INPUT -i of-0123abcd -j OF-0123abcd-IN-2",
            "-A INPUT -i of-0123abcd -j MY-OF-0123abcd-IN",
            "-A INPUT -i of-0123abcd -j OF-0123abcd",
            "-A OUTPUT -i of-0123abcd -j OF-0123abcd-IN",
            "-A INPUT -i of-0123abcd -j OF-0123abcd-OUT",
            "-A INPUT -i of-0123abcd -g OF-0123abcd-IN",
            "-A INPUT -i of-+ -j OF-0123abcd-IN",
            "-A INPUT -i ../lo -j OF-0123abcd-IN",
            "-A INPUT ! -i of-0123abcd -j OF-0123abcd-IN",
            "-A INPUT -j OF-0123abcd-IN",
            "-A INPUT -i of-0123abcd -p tcp -j OF-0123abcd-IN",
            "-A INPUT -m comment --comment OF-0123abcd-IN",
        ] {
            assert_eq!(found(line), [], "{line}");
        }
    }
}
