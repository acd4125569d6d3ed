#include <doctest/doctest.h>

#include <set>
#include <string>

#include "base/uuid.h"

TEST_CASE("uuid: lower case, and new ones differ") {
  CHECK(uuid::is_valid("3a9fd819-59c3-42bc-b0a2-d26304a1eb84"));
  for (const std::string text : {"", "3a9fd819", "3a9fd819-59c3-42bc-b0a2-d26304a1eb841",
                                 "3a9fd819_59c3-42bc-b0a2-d26304a1eb84", "3a9fd819-59c3-42bc-b0a2-d26304a1eb8g",
                                 "3a9fd81-959c3-42bc-b0a2-d26304a1eb84", "3A9fd819-59c3-42bc-b0a2-d26304a1eb84",
                                 " a9fd819-59c3-42bc-b0a2-d26304a1eb84", "3a9fd819-59c3-42bc-b0a2-d26304a1eb8\n"}) {
    CAPTURE(text);
    CHECK_FALSE(uuid::is_valid(text));
  }
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.insert(uuid::random());
  CHECK(ids.size() == 20);
  for (const auto& id : ids) CHECK(uuid::is_valid(id));
}
