/* For LD_PRELOAD into Debian 12's OpenSMTPD, which keeps its keys in a process of its own: a handshake asks
 * that process by what is attached to the EC key inside an EVP_PKEY. Since OpenSSL 3, EVP_PKEY_get1_EC_KEY
 * gives a copy, so that nothing is attached to the key that signs, and no handshake comes about (OpenSMTPD's
 * issue 1171). Here the copy becomes the key. */
#include <dlfcn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

__attribute__((visibility("default"))) EC_KEY *EVP_PKEY_get1_EC_KEY(EVP_PKEY *key)
{
    EC_KEY *(*original)(EVP_PKEY *) = (EC_KEY * (*)(EVP_PKEY *)) dlsym(RTLD_NEXT, __func__);
    EC_KEY *ec = original(key);

    if (ec != NULL)
        EVP_PKEY_set1_EC_KEY(key, ec);
    return ec;
}
