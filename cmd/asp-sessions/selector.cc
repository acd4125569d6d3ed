#include "selector.h"

#include <string_view>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/uuid.h"

namespace sessions {

Selector Selector::parse(const std::string& text) {
  constexpr std::string_view kUser = "user=";
  constexpr std::string_view kClient = "client=";
  Selector selector;
  if (uuid::is_valid(text)) {
    selector.what_ = Id{text};
    return selector;
  }
  if (text.starts_with(kUser) && text.size() > kUser.size()) {
    selector.what_ = User{text.substr(kUser.size())};
    return selector;
  }
  if (text.starts_with(kClient)) {
    const std::string address = text.substr(kClient.size());
    if (const auto ip = IpAddress::parse(address)) {
      selector.what_ = *ip;
      return selector;
    }
    if (const auto end = Endpoint::parse(address)) {
      selector.what_ = *end;
      return selector;
    }
  }
  throw tool::Failure(tool::usage, fmt::format("'{}' is not UUID, user=NAME, or client=ADDRESS[:PORT]", text));
}

std::optional<std::string> Selector::id() const {
  const auto* id = std::get_if<Id>(&what_);
  return id ? std::optional(id->text) : std::nullopt;
}

bool Selector::matches(const session::Session& session) const {
  if (const auto* id = std::get_if<Id>(&what_)) return session.id == id->text;
  if (const auto* user = std::get_if<User>(&what_)) return session.user == user->name;
  if (const auto* ip = std::get_if<IpAddress>(&what_)) return session.client.ip == *ip;
  const auto& end = std::get<Endpoint>(what_);
  return session.client == end || (session.flow && session.flow->client == end);
}

}  // namespace sessions
