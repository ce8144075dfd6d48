//! of-auth as a whole: what browsers, command lines, routers and strangers get.

mod support;

mod service {
    mod api_tokens;
    mod device;
    mod keys;
    mod limits;
    mod login;
    mod logout;
    mod pages;
    mod roles;
    mod router;
    mod sessions;
    mod start;
    mod tickets;
}
