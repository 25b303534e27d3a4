/* What the library knows a sanitizer by: the one symbol that each runtime has. */
__attribute__((visibility("default"))) void SANITIZER_INIT(void);

void SANITIZER_INIT(void)
{
}
