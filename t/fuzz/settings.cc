// What people and files say beside aspera.conf: asconfigurator's items, users of the node API,
// passwords, single values.
//
// options: -max_len=4096
#include "../../cmd/asconfigurator/item.h"
#include "../../cmd/asp-sessions/selector.h"
#include "base/accounts.h"
#include "cluster/redis_password.h"
#include "config/node_passwords.h"
#include "config/node_users.h"
#include "config/schema.h"
#include "config/value.h"
#include "fuzz.h"
#include "http/node_client.h"

void fuzz::one(std::string_view input) {
  const std::string text(input);
  const auto changes = fuzz::accepted(tool::usage, [&] { return asconfigurator::parse_item(text); });
  for (const auto& change : changes.value_or(std::vector<asconfigurator::Change>{})) {
    fuzz::must(!change.value || config::schema::accepts(change.item.option(), *change.value), "a change is valid");
    fuzz::must(!change.value || !change.value->empty(), "a change is not empty");
  }
  if (const auto users = fuzz::accepted(tool::config, [&] { return config::node_users::parse(text, "users"); })) {
    const std::string written = config::node_users::text_of(*users);
    const auto again = config::node_users::parse(written, "users");
    fuzz::must(again.size() == users->size() && config::node_users::text_of(again) == written, "users read back");
  }
  if (const auto print = node_client::parse_fingerprint(text)) {
    fuzz::must(print->size() == 64, "a fingerprint has 64 digits");
    fuzz::must(node_client::parse_fingerprint(node_client::show_fingerprint(*print)) == print,
               "a fingerprint reads back");
  }
  if (redis::is_password(text))
    fuzz::must(text.size() <= 128 && fuzz::is_printable(text), "a password needs no quotes");
  if (config::node_users::is_password(text))
    fuzz::must(text.size() <= config::node_users::kMaxPassword, "and is short");
  for (const auto& name : config::value::names(text))
    fuzz::must(config::value::is_account(name), "a name is one of an account");
  if (accounts::is_name(text))
    fuzz::must(text.find('/') == text.npos && text != "." && text != "..", "a user may stand in a path");
  if (config::value::is_user_path(text)) fuzz::must(config::value::is_docroot(text), "a path is a docroot");
  fuzz::accepted(tool::usage, [&] { return sessions::Selector::parse(text); });
}
