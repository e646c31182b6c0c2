/*
 * Every signature is right.  Linked into the fuzz targets whose inputs carry signatures, where this definition
 * comes before the one of libsodium: so the code under test is the very code that ships.
 */
#include <sodium.h>

int
crypto_sign_verify_detached(
    const unsigned char *sig, const unsigned char *m, unsigned long long mlen, const unsigned char *pk)
{
	(void)sig;
	(void)m;
	(void)mlen;
	(void)pk;
	return (0);
}
