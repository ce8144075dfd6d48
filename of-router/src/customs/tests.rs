use super::*;

fn id(id: u64) -> OwnerId {
    OwnerId { host: "github.com".into(), id }
}

fn claim(owner: &str, number: u64, function: &str, hosts: &[&str]) -> Claim {
    let owner: Owner = owner.parse().unwrap();
    let service = ServiceName::of(&owner, &function.parse().unwrap()).unwrap();
    Claim { owner, id: id(number), service, hosts: hosts.iter().map(|host| (*host).to_owned()).collect() }
}

#[test]
fn the_operator_s_hosts_are_read() {
    let given: CustomDomains = "WWW.Alice.com = alice/shop, bob.org=bob/web,".parse().unwrap();
    assert_eq!(given.table()["www.alice.com"].service.as_str(), "alice-shop");
    assert_eq!(given.to_string(), "bob.org,www.alice.com");
    assert_eq!(given.within(&"example.com".parse().unwrap()), None);
    assert_eq!(given.within(&"alice.com".parse().unwrap()), Some("www.alice.com"));
    let wrong = [
        "www.alice.com",
        "www.alice.com=alice",
        "=alice/shop",
        "localhost=alice/shop",
        "127.0.0.1=alice/shop",
        "a.com=a/b,a.com=a/c",
        "a.com=git/tar",
        "a.com=system/x",
        "a.com=alice/Shop",
        "a.com:80=alice/shop",
    ];
    for text in wrong {
        assert!(text.parse::<CustomDomains>().is_err(), "{text}");
    }
}

#[test]
fn records_name_one_owner() {
    let named = |records: &[&str]| named_owner(records.iter().copied());
    assert_eq!(named(&["v=spf1 -all", "ofc-owner=GitHub.com/7"]), Some(id(7)));
    assert_eq!(named(&["ofc-owner=github.com/7", "ofc-owner=github.com/7"]), Some(id(7)));
    for unclear in [
        &["ofc-owner=github.com/7", "ofc-owner=github.com/8"][..],
        &["ofc-owner=github.com/7", "ofc-owner=nonsense"],
        &["ofc-owner=nonsense", "ofc-owner=github.com/7"],
        &["ofc-owner=github.com/0"],
        &["ofc-owner=github.com/-7"],
        &["ofc-owner=/7"],
        &["ofc-owner="],
        &["x ofc-owner=github.com/7"],
        &[],
    ] {
        assert_eq!(named(unclear), None, "{unclear:?}");
    }
}

#[test]
fn of_two_that_claim_a_host_the_one_that_dns_names_has_it() {
    let claims =
        [claim("mallory", 6, "a", &["alice.com", "free.org"]), claim("alice", 7, "shop", &["alice.com", "given.org"])];
    let given: CustomDomains = "given.org=bob/web".parse().unwrap();
    let dns = |host: &str| (host != "free.org").then(|| id(7));
    let table = table(&given, &claims, dns);
    assert_eq!(table["alice.com"].service.as_str(), "alice-shop");
    assert_eq!(table["alice.com"].proven, Some(id(7)));
    assert_eq!(table["given.org"].service.as_str(), "bob-web", "the operator's word comes first");
    assert!(!table.contains_key("free.org"), "no record, no host");
    let same = [claim("alice", 7, "z", &["a.com"]), claim("alice", 7, "b", &["a.com"])];
    assert_eq!(super::table(&given, &same, |_| Some(id(7)))["a.com"].service.as_str(), "alice-b");
    let elsewhere = |_: &str| Some(OwnerId { host: "gitlab.com".into(), id: 7 });
    assert!(!super::table(&given, &same, elsewhere).contains_key("a.com"), "the same number elsewhere is another");
}

#[test]
fn no_host_of_the_platform_can_be_claimed() {
    let domain = "example.com".parse().unwrap();
    let text = "example.com, bob.example.com,auth.system.example.com, Alice.com ,127.0.0.1,localhost,*.x.org";
    assert_eq!(claimed(&domain, text), ["alice.com"]);
    let many: Vec<String> = (0..50).map(|i| format!("a{i}.com")).collect();
    assert_eq!(claimed(&domain, &many.join(",")).len(), MAX_PER_FUNCTION);
}
