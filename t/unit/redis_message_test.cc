#include "cluster/redis_message.h"

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/failure.h"

using redis::Reply;
namespace message = redis::message;

namespace {

std::string raw(std::uint32_t number) { return std::string(reinterpret_cast<const char*>(&number), sizeof number); }
std::string framed(const std::string& value) { return raw(static_cast<std::uint32_t>(value.size())) + value; }
std::string number(std::int64_t value) {
  return ":" + std::string(reinterpret_cast<const char*>(&value), sizeof value);
}
std::string text(const std::string& bytes) { return "$" + raw(static_cast<std::uint32_t>(bytes.size())) + bytes; }
std::string list(const std::vector<std::string>& values) {
  std::string all = "*" + raw(static_cast<std::uint32_t>(values.size()));
  for (const auto& each : values) all += each;
  return all;
}

Reply value_in(const std::string& whole, std::size_t piece = 1 << 20) {
  message::Inbox inbox;
  for (std::size_t at = 0; at < whole.size(); at += piece) {
    if (inbox.pop()) throw std::logic_error("a message that is not whole");
    inbox.add(std::string_view(whole).substr(at, piece));
  }
  const auto value = inbox.pop();
  if (!value || !inbox.empty()) throw std::logic_error("no message, or more than one");
  return *value;
}

bool refused(const std::function<void()>& work) {
  try {
    work();
  } catch (const tool::Failure& failure) {
    return failure.code() == tool::bad_input;
  }
  return false;
}

bool is_refused(const std::string& value) {
  return refused([&] { value_in(framed(value)); });
}

redis::Terms terms_of(const std::string& value) { return message::terms_in(value_in(framed(value))); }

}  // namespace

TEST_CASE("redis_message: what is said arrives, however it is cut") {
  const redis::Terms terms{true,
                           {*Endpoint::parse("192.0.2.1:6379"), *Endpoint::parse("[2001:db8::1]:6380")},
                           {*Endpoint::parse("192.0.2.3:26379")},
                           "secret-1"};
  const redis::Question question{std::chrono::steady_clock::now(), {{"GET", ""}, {std::string("a\r\n\0b", 5)}}};
  const redis::Answer answer{
      "",
      {Reply(), Reply(-12LL), Reply(std::string("x\0y", 3)), Reply(Reply::Array{Reply(Reply::Array{}), Reply(7LL)})}};
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{4096}}) {
    const auto same = message::terms_in(value_in(message::pack(terms), piece));
    CHECK(same.any_server);
    CHECK(same.servers == terms.servers);
    CHECK(same.sentinels == terms.sentinels);
    CHECK(same.password == terms.password);
    const auto asked = message::question_in(value_in(message::pack(question), piece));
    CHECK(asked.deadline == question.deadline);
    CHECK(asked.commands == question.commands);
    const auto answered = message::answer_in(value_in(message::pack(answer), piece));
    CHECK(answered.failure.empty());
    REQUIRE(answered.replies.size() == 4);
    CHECK(answered.replies[0].is_nil());
    CHECK(answered.replies[1].integer() == -12);
    CHECK(answered.replies[2].text() == std::string("x\0y", 3));
    CHECK(answered.replies[3].array()[0].array().empty());
    CHECK(answered.replies[3].array()[1].integer() == 7);
    const auto failed = message::answer_in(value_in(message::pack(redis::Answer{"no", {}}), piece));
    CHECK(failed.failure == "no");
  }
  CHECK(message::answer_in(value_in(message::pack(redis::Answer{std::string(100000, 'x'), {}}))).failure.size() ==
        redis::Answer::kMaxFailure);
}

TEST_CASE("redis_message: two messages at once are two") {
  message::Inbox inbox;
  inbox.add(framed("-") + framed(number(5)) + framed("-").substr(0, 2));
  CHECK(inbox.pop()->is_nil());
  CHECK(inbox.pop()->integer() == 5);
  CHECK_FALSE(inbox.pop());
  CHECK_FALSE(inbox.empty());
}

TEST_CASE("redis_message: what is not a value, or too much of one, is refused") {
  CHECK_FALSE(is_refused(list({"-", number(1), text("x"), list({})})));
  for (const std::string& value :
       {std::string(), std::string("x"), std::string("+OK\r\n"), std::string("--"), std::string(":1234567"),
        std::string("$"), text("abc").substr(0, 7), text("abc") + "d", "$" + raw(0xffffffff), "*" + raw(0xffffffff),
        "*" + raw(2) + "-", list({"-"}) + "-", list({list({list({list({list({list({})})})})})})}) {
    CAPTURE(value);
    CHECK(is_refused(value));
  }
  CHECK_FALSE(is_refused(list({list({list({list({list({"-"})})})})})));
  CHECK_FALSE(is_refused(list(std::vector<std::string>(message::kMaxValues - 1, "-"))));
  CHECK(is_refused(list(std::vector<std::string>(message::kMaxValues, "-"))));
  CHECK(refused([] { message::Inbox().add(raw(message::kMaxBytes + 1)); }));
  CHECK_FALSE(refused([] { message::Inbox().add(raw(message::kMaxBytes)); }));
  CHECK(refused([] { message::pack(redis::Question{{}, {{std::string(message::kMaxBytes, 'x')}}}); }));
}

TEST_CASE("redis_message: values that are none of the kind that belongs there are refused") {
  const std::string servers = list({text("192.0.2.1:6379")});
  CHECK(terms_of(list({number(0), servers, list({}), text("")})).servers.size() == 1);
  for (const std::string& value :
       {list({}), number(1), text("x"), list({number(2), servers, list({}), text("")}),
        list({text("1"), servers, list({}), text("")}), list({number(0), list({}), list({}), text("")}),
        list({number(0), list({text("localhost:6379")}), list({}), text("")}),
        list({number(0), list(std::vector<std::string>(65, text("192.0.2.1:6379"))), list({}), text("")}),
        list({number(0), servers, text("192.0.2.1:6379"), text("")}),
        list({number(0), servers, list({}), text("two words")}), list({number(0), servers, list({}), text(""), "-"})}) {
    CAPTURE(value);
    CHECK(refused([&] { terms_of(value); }));
  }
  for (const std::string& value :
       {list({}), list({number(1), list({})}), list({number(1), list({list({})})}), list({number(1), text("PING")}),
        list({number(1), list({text("PING")})}), list({number(1), list({list({number(1)})})}),
        list({"-", list({list({text("PING")})})})}) {
    CAPTURE(value);
    CHECK(refused([&] { message::question_in(value_in(framed(value))); }));
  }
  for (const std::string& value : {std::string("-"), number(1), text(""), text(std::string(8193, 'x'))}) {
    CAPTURE(value);
    CHECK(refused([&] { message::answer_in(value_in(framed(value))); }));
  }
}
