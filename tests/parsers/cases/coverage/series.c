static int twice(int a)
{
	if (a > 2)
		return a + a;
	if (a < 0)
		return -1;
	return 0;
}

int main(void)
{
	if (twice(3) == 7)
		return 1;
	if (twice(4) == 9)
		return 1;
	return 0;
}
