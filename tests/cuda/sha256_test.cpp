#include "cuda/sha256.hpp"

#include <gtest/gtest.h>

namespace ito {
namespace {

// FIPS 180-4's examples, from NIST's "Cryptographic Standards and Guidelines: Example Values".
TEST(Sha256, GivesTheStandardsAnswers) {
  EXPECT_EQ(Sha256().digest(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256().add("abc").digest(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256().add("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").digest(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256().add(std::string(1'000'000, 'a')).digest(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PartsDoNotRunIntoEachOther) {
  EXPECT_EQ(Sha256().add("ab").add("c").digest(), Sha256().add("abc").digest());
  EXPECT_NE(Sha256().add_part("ab").add_part("c").digest(),
            Sha256().add_part("a").add_part("bc").digest());
}

}  // namespace
}  // namespace ito
